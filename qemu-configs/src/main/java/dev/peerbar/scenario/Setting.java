package dev.peerbar.scenario;

import dev.peerbar.lab.qemu.CpuModel;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.qemu.Viommu;
import dev.peerbar.lab.qemu.VirtualMachine;
import java.io.IOException;

/**
 * A guest to try scenarios in, but for its endpoints.
 *
 * @param fixture whose endpoints it gets
 * @param topology one of {@link Topology#NAMES}
 * @param viommu the IOMMU that it sees
 * @param cpu whose rules of peer-to-peer DMA hold
 * @param variant what else makes it unlike other settings of the fixture, in a word; or empty
 * @param kernelArguments more of the kernel's command line; or empty
 * @param cpus how many processors it has
 */
public record Setting(
    String fixture,
    String topology,
    Viommu viommu,
    CpuModel cpu,
    String variant,
    String kernelArguments,
    int cpus) {
  private static final int CPUS = 2;

  /** One without anything special. */
  public Setting(String fixture, String topology, Viommu viommu, CpuModel cpu) {
    this(fixture, topology, viommu, cpu, "", "");
  }

  /** One with two processors. */
  public Setting(
      String fixture,
      String topology,
      Viommu viommu,
      CpuModel cpu,
      String variant,
      String kernelArguments) {
    this(fixture, topology, viommu, cpu, variant, kernelArguments, CPUS);
  }

  /** The guest, without endpoints. */
  public VirtualMachine machine() throws IOException {
    VirtualMachine machine =
        VirtualMachine.of(Topology.named(topology)).withCpu(cpu).withCpus(cpus).withViommu(viommu);
    return kernelArguments.isEmpty() ? machine : machine.withKernelArguments(kernelArguments);
  }

  /**
   * Its name: words, digits and hyphens between dots, such as {@code
   * hbm-pair.one-switch.intel-iommu.amd-cpu}.
   */
  public String name() {
    String name = "%s.%s.%s.%s-cpu".formatted(fixture, topology, viommu.label(), cpu.label());
    return variant.isEmpty() ? name : name + "." + variant;
  }

  @Override
  public String toString() {
    return name();
  }
}
