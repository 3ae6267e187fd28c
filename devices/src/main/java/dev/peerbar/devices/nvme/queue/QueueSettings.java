package dev.peerbar.devices.nvme.queue;

import java.util.function.BooleanSupplier;
import java.util.function.IntPredicate;

/**
 * What a generation of the controller begins with.
 *
 * @param pageSize CC.MPS in bytes, 4 KiB to 64 KiB
 * @param mostEntries of an I/O queue: CAP.MQES + 1
 * @param queues pairs of I/O queues there may be; identifiers are 1 to this
 * @param vectors there are; a completion queue's is below this
 * @param weighted whether CC.AMS chose weighted round robin with urgent priority class
 * @param arbitration at the beginning
 * @param adminSubmissionQueue ASQ, page-aligned
 * @param adminSubmissionEntries AQA.ASQS + 1, at least 2
 * @param adminCompletionQueue ACQ, page-aligned
 * @param adminCompletionEntries AQA.ACQS + 1, at least 2
 * @param pinInUse whether interrupts go by the pin, as MSI-X is off; asked on any thread
 * @param uncoalesced whether the host wants no interrupt of a vector held back (NVMe 1.4 5.21.1.9);
 *     asked on any thread
 */
public record QueueSettings(
    int pageSize,
    int mostEntries,
    int queues,
    int vectors,
    boolean weighted,
    ArbitrationFeature arbitration,
    long adminSubmissionQueue,
    int adminSubmissionEntries,
    long adminCompletionQueue,
    int adminCompletionEntries,
    BooleanSupplier pinInUse,
    IntPredicate uncoalesced) {}
