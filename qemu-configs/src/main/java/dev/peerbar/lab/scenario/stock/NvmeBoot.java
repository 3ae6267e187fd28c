package dev.peerbar.lab.scenario.stock;

import dev.peerbar.lab.qemu.CpuModel;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.qemu.Viommu;
import dev.peerbar.lab.qemu.VirtualMachine;
import java.io.IOException;
import java.util.List;

/** The guests in which NVMe endpoints are tried. None has a vIOMMU, which would redirect P2P. */
public enum NvmeBoot {
  ONE_SWITCH(
      "one-switch",
      // Whose host bridge would let nothing through.
      CpuModel.INTEL,
      "",
      "one switch, an Intel CPU: everything; peer-to-peer DMA turns at the switch"),
  PIN_INTERRUPTS(
      "one-switch",
      CpuModel.AMD,
      "pci=nomsi",
      "one switch, one AMD CPU, no MSI: interrupts by pin"),
  TWO_ROOT_PORTS(
      "two-root-ports",
      CpuModel.AMD,
      "",
      "root ports, an AMD CPU: peer-to-peer DMA passes the host bridge"),
  REFUSING_BRIDGE(
      "two-root-ports",
      CpuModel.INTEL,
      "",
      "root ports, an Intel CPU: the kernel lets no peer-to-peer DMA through this host bridge"),
  SPEED("one-switch", CpuModel.AMD, "", "one switch, an AMD CPU: speed beside QEMU's nvme");

  /** All that try whether something works, in the order of a lab. */
  public static final List<NvmeBoot> TRIALS =
      List.of(ONE_SWITCH, PIN_INTERRUPTS, TWO_ROOT_PORTS, REFUSING_BRIDGE);

  private final String topology;
  private final CpuModel cpu;
  private final String kernelArguments;
  private final String headline;

  NvmeBoot(String topology, CpuModel cpu, String kernelArguments, String headline) {
    this.topology = topology;
    this.cpu = cpu;
    this.kernelArguments = kernelArguments;
    this.headline = headline;
  }

  /** The trials on a topology. */
  public static List<NvmeBoot> on(String topology) {
    return TRIALS.stream().filter(boot -> boot.topology.equals(topology)).toList();
  }

  /** What it is for, in a line. */
  public String headline() {
    return headline;
  }

  /** Whether functions reach each other's memory here. */
  boolean peersReachEachOther() {
    return this != REFUSING_BRIDGE;
  }

  /** The guest, without its disks. */
  public VirtualMachine machine() throws IOException {
    return VirtualMachine.of(Topology.named(topology))
        .withCpu(cpu)
        .withCpus(this == PIN_INTERRUPTS ? 1 : 2)
        .withViommu(Viommu.NONE)
        .withUserland()
        .withKernelArguments(kernelArguments);
  }
}
