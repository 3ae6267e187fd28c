package dev.peerbar.pci;

import dev.peerbar.pci.ConfigLayout.AdvancedErrorReporting;

/**
 * Advanced Error Reporting, version 2, of an endpoint (PCIe 6.0 7.8.4), without ECRC and without
 * multiple header recording. Everything in it is sticky.
 */
final class AdvancedErrorReportingCapability {
  private static final long DATA_LINK_PROTOCOL = 1 << 4;
  private static final long SURPRISE_DOWN = 1 << 5;
  private static final long POISONED_TLP = 1 << 12;
  private static final long FLOW_CONTROL = 1 << 13;
  private static final long COMPLETION_TIMEOUT = 1 << 14;
  private static final long COMPLETER_ABORT = 1 << 15;
  private static final long UNEXPECTED_COMPLETION = 1 << 16;
  private static final long RECEIVER_OVERFLOW = 1 << 17;
  private static final long MALFORMED_TLP = 1 << 18;
  private static final long UNSUPPORTED_REQUEST = 1 << 20;
  private static final long UNCORRECTABLE_INTERNAL = 1 << 22;

  private static final long UNCORRECTABLE_ERRORS =
      DATA_LINK_PROTOCOL
          | SURPRISE_DOWN
          | POISONED_TLP
          | FLOW_CONTROL
          | COMPLETION_TIMEOUT
          | COMPLETER_ABORT
          | UNEXPECTED_COMPLETION
          | RECEIVER_OVERFLOW
          | MALFORMED_TLP
          | UNSUPPORTED_REQUEST
          | UNCORRECTABLE_INTERNAL;
  private static final long FATAL_BY_DEFAULT =
      DATA_LINK_PROTOCOL
          | SURPRISE_DOWN
          | FLOW_CONTROL
          | RECEIVER_OVERFLOW
          | MALFORMED_TLP
          | UNCORRECTABLE_INTERNAL;

  private static final long RECEIVER = 1;
  private static final long BAD_TLP = 1 << 6;
  private static final long BAD_DLLP = 1 << 7;
  private static final long REPLAY_ROLLOVER = 1 << 8;
  private static final long REPLAY_TIMEOUT = 1 << 12;
  private static final long ADVISORY_NON_FATAL = 1 << 13;
  private static final long CORRECTED_INTERNAL = 1 << 14;

  private static final long CORRECTABLE_ERRORS =
      RECEIVER
          | BAD_TLP
          | BAD_DLLP
          | REPLAY_ROLLOVER
          | REPLAY_TIMEOUT
          | ADVISORY_NON_FATAL
          | CORRECTED_INTERNAL;

  private static final long ALL = -1;

  private AdvancedErrorReportingCapability() {}

  /** Returns where it is. */
  static int declare(ConfigSpace space, CapabilityChains chains) {
    int at =
        chains.addExtended(
            AdvancedErrorReporting.ID,
            AdvancedErrorReporting.VERSION,
            AdvancedErrorReporting.LENGTH);
    space
        .declare(at + AdvancedErrorReporting.UNCORRECTABLE_STATUS, 4, 0)
        .clearedByOnes(UNCORRECTABLE_ERRORS)
        .sticky(UNCORRECTABLE_ERRORS);
    space
        .declare(at + AdvancedErrorReporting.UNCORRECTABLE_MASK, 4, UNCORRECTABLE_INTERNAL)
        .writable(UNCORRECTABLE_ERRORS)
        .sticky(UNCORRECTABLE_ERRORS);
    space
        .declare(at + AdvancedErrorReporting.UNCORRECTABLE_SEVERITY, 4, FATAL_BY_DEFAULT)
        .writable(UNCORRECTABLE_ERRORS)
        .sticky(UNCORRECTABLE_ERRORS);
    space
        .declare(at + AdvancedErrorReporting.CORRECTABLE_STATUS, 4, 0)
        .clearedByOnes(CORRECTABLE_ERRORS)
        .sticky(CORRECTABLE_ERRORS);
    space
        .declare(
            at + AdvancedErrorReporting.CORRECTABLE_MASK,
            4,
            ADVISORY_NON_FATAL | CORRECTED_INTERNAL)
        .writable(CORRECTABLE_ERRORS)
        .sticky(CORRECTABLE_ERRORS);
    space.declare(at + AdvancedErrorReporting.HEADER_LOG, 8, 0).sticky(ALL);
    space.declare(at + AdvancedErrorReporting.HEADER_LOG + 8, 8, 0).sticky(ALL);
    return at;
  }
}
