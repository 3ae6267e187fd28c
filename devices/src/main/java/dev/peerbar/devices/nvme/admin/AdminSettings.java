package dev.peerbar.devices.nvme.admin;

import dev.peerbar.devices.nvme.entry.AdminOpcode;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;

/**
 * What a generation of the controller begins with, as far as admin commands have to know.
 *
 * @param pageSize CC.MPS in bytes
 * @param queues pairs of I/O queues there may be
 * @param vectors there are
 * @param shadowDoorbells whether there is Doorbell Buffer Config
 * @param msixEnabled whether a completion queue may have another vector than 0
 * @param entrySizesSet whether CC.IOSQES and CC.IOCQES are as I/O queues need them
 * @param nanoTime as {@link System#nanoTime} tells it
 */
public record AdminSettings(
    int pageSize,
    int queues,
    int vectors,
    boolean shadowDoorbells,
    BooleanSupplier msixEnabled,
    BooleanSupplier entrySizesSet,
    LongSupplier nanoTime) {

  /** Whether the controller has a command. */
  boolean has(AdminOpcode opcode) {
    return opcode != AdminOpcode.DOORBELL_BUFFER_CONFIG || shadowDoorbells;
  }
}
