package dev.peerbar.protocol;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;

/**
 * What a message asks for (vfio-user, Commands). The server sends {@link #DMA_READ} and {@link
 * #DMA_WRITE}, the client all others.
 */
public enum Command {
  VERSION(1),
  DMA_MAP(2),
  DMA_UNMAP(3),
  DEVICE_GET_INFO(4),
  DEVICE_GET_REGION_INFO(5),
  DEVICE_GET_REGION_IO_FDS(6),
  DEVICE_GET_IRQ_INFO(7),
  DEVICE_SET_IRQS(8),
  REGION_READ(9),
  REGION_WRITE(10),
  DMA_READ(11),
  DMA_WRITE(12),
  DEVICE_RESET(13),
  REGION_WRITE_MULTI(15),
  DEVICE_FEATURE(16),
  MIG_DATA_READ(17),
  MIG_DATA_WRITE(18);

  private static final int HIGHEST = 18;
  private static final List<Optional<Command>> BY_CODE = byCode();

  private final int code;

  Command(int code) {
    this.code = code;
  }

  /** The number in the header. */
  public int code() {
    return code;
  }

  /** The command of a number, or empty if the specification has none. Allocates nothing. */
  public static Optional<Command> of(int code) {
    return code < 0 || code > HIGHEST ? Optional.empty() : BY_CODE.get(code);
  }

  private static List<Optional<Command>> byCode() {
    List<Optional<Command>> table =
        new ArrayList<>(Collections.nCopies(HIGHEST + 1, Optional.empty()));
    for (Command command : values()) {
      table.set(command.code, Optional.of(command));
    }
    return List.copyOf(table);
  }
}
