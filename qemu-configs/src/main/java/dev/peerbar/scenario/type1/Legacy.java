package dev.peerbar.scenario.type1;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.HbmDriver;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.uapi.VfioDmaMap;
import dev.peerbar.lab.vfio.GuestDevice;
import dev.peerbar.lab.vfio.VfioContainer;
import dev.peerbar.lab.vfio.VfioGroup;
import dev.peerbar.scenario.fixture.Checksum;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Initiator;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * The pair in a container instead of an iommufd: its functions are taken from the fixture, and
 * opened again through their groups.
 */
final class Legacy implements AutoCloseable {
  /** Of each copy, and of guest memory that B has, in bytes. */
  static final long LENGTH = 64L << 10;

  static final Set<VfioDmaMap.Flag> READ_WRITE = EnumSet.allOf(VfioDmaMap.Flag.class);

  private final HbmPair pair;
  private final VfioContainer container;
  private final List<VfioGroup> groups = new ArrayList<>();
  private final List<GuestDevice> devices = new ArrayList<>();
  private final PciDevice pciA;
  private final PciDevice pciB;
  private GuestDevice a;
  private HbmDriver b;
  private Initiator initiator;
  private DmaRange memory;

  private Legacy(HbmPair pair, VfioContainer container) {
    this.pair = pair;
    this.container = container;
    pciA = pair.deviceA().vfio().pci();
    pciB = pair.deviceB().vfio().pci();
  }

  /** One whose functions are at work, and reach guest memory. */
  static Legacy open(HbmPair pair, VfioContainer.Type type) throws Exception {
    Legacy legacy = withoutDevices(pair);
    try {
      legacy.openDevices(type);
      return legacy;
    } catch (Exception e) {
      legacy.close();
      throw e;
    }
  }

  /** One with both groups open, and neither in the container. */
  static Legacy withoutDevices(HbmPair pair) throws IOException {
    pair.handBack();
    Legacy legacy = new Legacy(pair, VfioContainer.open(pair.guest()));
    try {
      legacy.groups.add(VfioGroup.open(legacy.pciA));
      if (VfioGroup.numberOf(legacy.pciB) != legacy.groups.getFirst().number()) {
        legacy.groups.add(VfioGroup.open(legacy.pciB));
      }
      return legacy;
    } catch (IOException | RuntimeException e) {
      legacy.close();
      throw e;
    }
  }

  private void openDevices(VfioContainer.Type type) throws IOException {
    for (VfioGroup group : groups) {
      group.setContainer(container);
      if (group == groups.getFirst()) {
        container.setIommu(type);
      }
    }
    a = open(groupA(), pciA);
    GuestDevice deviceB = open(groupB(), pciB);
    HbmDriver.of(a);
    b = HbmDriver.of(deviceB);
    initiator = Initiator.of(b);
    memory = deviceB.allocate(LENGTH);
    Pattern.fill(memory, pair.run().seed());
  }

  private GuestDevice open(VfioGroup group, PciDevice pci) throws IOException {
    GuestDevice device = GuestDevice.open(pair.guest(), group.device(pci), container);
    devices.add(device);
    return device;
  }

  VfioContainer container() {
    return container;
  }

  VfioGroup groupA() {
    return groups.getFirst();
  }

  VfioGroup groupB() {
    return groups.getLast();
  }

  PciDevice pciA() {
    return pciA;
  }

  GuestDevice a() {
    return a;
  }

  HbmDriver b() {
    return b;
  }

  Initiator initiator() {
    return initiator;
  }

  /** Guest memory that B has, with the pattern of the seed. */
  DmaRange memory() {
    return memory;
  }

  /** A's memory BAR as the guest's agent has it mapped. */
  GuestMemory bar() throws IOException {
    return a.bar(HbmRegisters.MEMORY_BAR);
  }

  /** Maps so much of A's memory BAR by its address, from its first byte; where B sees it. */
  long mapBar(long length) throws IOException {
    long iova = container.room(length);
    mapBarAt(iova, length);
    return iova;
  }

  /** The same at an address. */
  void mapBarAt(long iova, long length) throws IOException {
    container.map(READ_WRITE, bar().at(0, length), iova, length);
  }

  /** B copies guest memory into A's, and what lands is right. */
  void checkCopy(long iova) throws Exception {
    MemorySegment target = pair.memoryOfA().asSlice(0, LENGTH);
    target.fill((byte) 0);
    initiator.restart();
    initiator.copy(memory.iova(), iova, LENGTH);
    long right = Pattern.mismatch(target, pair.run().seed());
    unless(right == LENGTH, "a copy by B is wrong at 0x%x", right);
  }

  /** B's write and read fault at the first byte, and nothing of A's memory changes. */
  void checkCutOff(long iova) throws Exception {
    MemorySegment target = pair.memoryOfA().asSlice(0, 2 * LENGTH);
    Pattern.fill(target, ~pair.run().seed());
    long before = Checksum.of(target);
    initiator.expectFault(
        Initiator.copying(memory.iova(), iova, LENGTH), ErrorCode.WRITE_FAULT, iova);
    initiator.expectFault(
        Initiator.copying(iova, memory.iova(), LENGTH), ErrorCode.READ_FAULT, iova);
    unless(Checksum.of(target) == before, "A's memory changed");
    initiator.restart();
  }

  @Override
  public void close() throws IOException {
    for (GuestDevice device : devices) {
      device.close();
    }
    for (VfioGroup group : groups) {
      group.close();
    }
    container.close();
  }
}
