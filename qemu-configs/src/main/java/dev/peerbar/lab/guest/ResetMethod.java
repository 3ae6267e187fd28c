package dev.peerbar.lab.guest;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** How the guest's kernel can reset a function ({@code reset_method} of its sysfs directory). */
public enum ResetMethod {
  /** By a function-level reset (PCIe 6.0 6.6.2). */
  FLR,
  /** Through D3hot, of a function that does not say No_Soft_Reset. */
  PM,
  /** By a reset of the bus or slot that it has to itself. */
  BUS;

  private static final String ATTRIBUTE = "reset_method";

  private String word() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Whether the kernel has it for a function. */
  public boolean isOffered(PciDevice device) throws IOException {
    return offered(device).contains(word());
  }

  private static List<String> offered(PciDevice device) throws IOException {
    return Arrays.asList(device.system().readText(device.attribute(ATTRIBUTE)).split(" "));
  }

  /**
   * Has the kernel reset a function in this way; whoever has it open is not asked. The methods that
   * the kernel chooses from otherwise are as they were afterwards.
   */
  public void reset(PciDevice device) throws IOException {
    List<String> before = offered(device);
    choose(device, word());
    try {
      device.reset();
    } finally {
      choose(device, String.join(" ", before));
    }
  }

  private static void choose(PciDevice device, String methods) throws IOException {
    device.system().writeText(device.attribute(ATTRIBUTE), methods);
  }
}
