package dev.peerbar.lab.qemu;

import java.util.Locale;

/**
 * The guest's processor. What counts for peer-to-peer DMA is the maker: the kernel lets it through
 * the host bridge of any AMD Zen, and of Intel's only through those that it lists.
 *
 * <p>Named models would print warnings about features that TCG lacks. MTRRs are off because SeaBIOS
 * sets them on the first CPU only under TCG, of which the kernel warns; PAT does without them.
 */
public enum CpuModel {
  AMD("max,vendor=AuthenticAMD,family=25,model=1,stepping=1,mtrr=off"),
  INTEL("max,vendor=GenuineIntel,family=6,model=85,stepping=7,mtrr=off");

  private final String option;

  CpuModel(String option) {
    this.option = option;
  }

  /** The maker, in lower case. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** The value of {@code -cpu}. */
  public String option() {
    return option;
  }
}
