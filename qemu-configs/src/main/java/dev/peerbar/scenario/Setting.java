package dev.peerbar.scenario;

import dev.peerbar.lab.qemu.CpuModel;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.qemu.Viommu;
import dev.peerbar.lab.qemu.VirtualMachine;
import java.io.IOException;
import java.util.stream.Collectors;
import java.util.stream.Stream;

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
 * @param kernel which of the run's kernels, in a word; empty if there is one
 */
public record Setting(
    String fixture,
    String topology,
    Viommu viommu,
    CpuModel cpu,
    String variant,
    String kernelArguments,
    int cpus,
    String kernel) {
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
    this(fixture, topology, viommu, cpu, variant, kernelArguments, CPUS, "");
  }

  /** The same with more or fewer processors. */
  public Setting withCpus(int number) {
    return new Setting(fixture, topology, viommu, cpu, variant, kernelArguments, number, kernel);
  }

  /** The same with one of several kernels. */
  public Setting withKernel(String name) {
    return new Setting(fixture, topology, viommu, cpu, variant, kernelArguments, cpus, name);
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
    return Stream.of(name, variant, kernel)
        .filter(part -> !part.isEmpty())
        .collect(Collectors.joining("."));
  }

  @Override
  public String toString() {
    return name();
  }
}
