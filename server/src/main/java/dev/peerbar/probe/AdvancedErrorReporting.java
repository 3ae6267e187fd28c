package dev.peerbar.probe;

import static dev.peerbar.pci.ConfigLayout.AdvancedErrorReporting.CAPABILITIES_AND_CONTROL;
import static dev.peerbar.pci.ConfigLayout.AdvancedErrorReporting.CORRECTABLE_MASK;
import static dev.peerbar.pci.ConfigLayout.AdvancedErrorReporting.CORRECTABLE_STATUS;
import static dev.peerbar.pci.ConfigLayout.AdvancedErrorReporting.HEADER_LOG;
import static dev.peerbar.pci.ConfigLayout.AdvancedErrorReporting.UNCORRECTABLE_MASK;
import static dev.peerbar.pci.ConfigLayout.AdvancedErrorReporting.UNCORRECTABLE_SEVERITY;
import static dev.peerbar.pci.ConfigLayout.AdvancedErrorReporting.UNCORRECTABLE_STATUS;

import dev.peerbar.probe.Capability.Decoded;
import dev.peerbar.probe.Register.Flag;
import java.util.List;

/** Advanced Error Reporting of an endpoint (PCIe 6.0 7.8.4). */
final class AdvancedErrorReporting {
  private static final String NAME = "Advanced Error Reporting";

  private static final int HEADER_LOG_LENGTH = 16;

  private static final int FIRST_ERROR = 0x1f;

  private static final Flag[] UNCORRECTABLE = {
    new Flag("DLP", 1 << 4),
    new Flag("SDES", 1 << 5),
    new Flag("TLP", 1 << 12),
    new Flag("FCP", 1 << 13),
    new Flag("CmpltTO", 1 << 14),
    new Flag("CmpltAbrt", 1 << 15),
    new Flag("UnxCmplt", 1 << 16),
    new Flag("RxOF", 1 << 17),
    new Flag("MalfTLP", 1 << 18),
    new Flag("ECRC", 1 << 19),
    new Flag("UnsupReq", 1 << 20),
    new Flag("ACSViol", 1 << 21)
  };

  private static final Flag[] CORRECTABLE = {
    new Flag("RxErr", 1),
    new Flag("BadTLP", 1 << 6),
    new Flag("BadDLLP", 1 << 7),
    new Flag("Rollover", 1 << 8),
    new Flag("Timeout", 1 << 12),
    new Flag("AdvNonFatalErr", 1 << 13)
  };

  private AdvancedErrorReporting() {}

  static Decoded decode(ConfigBytes config, int at) {
    if (!config.has(at, HEADER_LOG + HEADER_LOG_LENGTH)) {
      return Decoded.named(NAME);
    }
    return new Decoded(
        NAME,
        Register.ofWords(NAME),
        List.of(
            errors("UESta", config.longAt(at + UNCORRECTABLE_STATUS), UNCORRECTABLE),
            errors("UEMsk", config.longAt(at + UNCORRECTABLE_MASK), UNCORRECTABLE),
            errors("UESvrt", config.longAt(at + UNCORRECTABLE_SEVERITY), UNCORRECTABLE),
            errors("CESta", config.longAt(at + CORRECTABLE_STATUS), CORRECTABLE),
            errors("CEMsk", config.longAt(at + CORRECTABLE_MASK), CORRECTABLE),
            control(config.longAt(at + CAPABILITIES_AND_CONTROL)),
            headerLog(config, at + HEADER_LOG)));
  }

  private static Register errors(String name, int bits, Flag[] flags) {
    return new Register.Writer(name, name + ":\t", bits).flags(flags).end();
  }

  private static Register control(int bits) {
    int first = bits & FIRST_ERROR;
    return new Register.Writer("AERCap", "AERCap:\tFirst Error Pointer: ", bits)
        .value("First Error Pointer", first, "%02x".formatted(first))
        .say(",")
        .flags(
            new Flag("ECRCGenCap", 1 << 5),
            new Flag("ECRCGenEn", 1 << 6),
            new Flag("ECRCChkCap", 1 << 7),
            new Flag("ECRCChkEn", 1 << 8))
        .say("\n\t\t\t")
        .flags(
            new Flag("MultHdrRecCap", 1 << 9),
            new Flag("MultHdrRecEn", 1 << 10),
            new Flag("TLPPfxPres", 1 << 11),
            new Flag("HdrLogCap", 1 << 12))
        .end();
  }

  private static Register headerLog(ConfigBytes config, int at) {
    StringBuilder log = new StringBuilder();
    for (int i = 0; i < HEADER_LOG_LENGTH; i += Integer.BYTES) {
      log.append(i == 0 ? "" : " ").append("%08x".formatted(config.longAt(at + i)));
    }
    return new Register.Writer("HeaderLog", "HeaderLog: ", 0)
        .value("HeaderLog", log.toString())
        .end();
  }
}
