package dev.peerbar.scenario.type1;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.vfio.Iommufd;
import dev.peerbar.lab.vfio.VfioAccess;
import dev.peerbar.lab.vfio.VfioContainer;
import dev.peerbar.lab.vfio.VfioContainer.Type;
import dev.peerbar.lab.vfio.VfioDevice;
import dev.peerbar.lab.vfio.VfioGroup;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Initiator;
import dev.peerbar.scenario.fixture.Refusals;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.List;

/** Who has a container, a group and a function, and for how long. */
final class Ownership {
  private static final int COPIES = 8;
  private static final long COPIED = 1L << 20;

  private Ownership() {}

  static List<Scenario<?>> all() {
    return List.of(
        ContainerCase.withoutDevices(
            "type1.set-up-order",
            "open groups, containers and functions twice, or before their time",
            "EBUSY for who has it already, EINVAL for what comes too early",
            Ownership::order),
        ContainerCase.of(
            "type1.container-closed",
            "close the container while B copies, its groups still open",
            "B's copies go on to their end: the groups keep what is mapped",
            Ownership::containerClosed));
  }

  private static String order(HbmPair pair, Legacy legacy) throws Exception {
    VfioContainer container = legacy.container();
    VfioGroup group = legacy.groupA();
    Refusals refusals = new Refusals();
    if (pair.guest().system().exists(VfioAccess.IOMMU)) {
      refusals.refuse(
          Errno.EBUSY,
          "a function whose group is open",
          () -> {
            try (Iommufd iommufd = Iommufd.open(pair.guest())) {
              VfioDevice.open(legacy.pciA(), iommufd).close();
            }
          });
    }
    refusals
        .refuse(Errno.EBUSY, "a group twice", () -> VfioGroup.open(legacy.pciA()).close())
        .refuse(Errno.EINVAL, "a type without a group", () -> container.setIommu(Type.TYPE1V2))
        .refuse(Errno.EINVAL, "unmapping without a type", container::unmapAll)
        .refuse(
            Errno.EINVAL,
            "a function without a container",
            () -> group.device(legacy.pciA()).close())
        .refuse(Errno.EINVAL, "no container to take away", group::unsetContainer);
    group.setContainer(container);
    refusals
        .refuse(Errno.EINVAL, "a second container", () -> group.setContainer(container))
        .refuse(
            Errno.EINVAL, "a function without a type", () -> group.device(legacy.pciA()).close());
    container.setIommu(Type.TYPE1V2);
    refusals.refuse(Errno.EINVAL, "a second type", () -> container.setIommu(Type.TYPE1V2));
    try (VfioDevice _ = group.device(legacy.pciA())) {
      refusals.refuse(Errno.EBUSY, "taking a container that is in use", group::unsetContainer);
    }
    group.unsetContainer();
    return refusals.seen();
  }

  private static String containerClosed(HbmPair pair, Legacy legacy) throws Exception {
    long iova = legacy.mapBar(COPIED + Legacy.LENGTH);
    MemorySegment target = pair.memoryOfA().asSlice(0, Legacy.LENGTH);
    target.fill((byte) 0);
    HbmChannel channel = legacy.initiator().channel();
    Descriptor copy = Initiator.copying(legacy.memory().iova(), iova, Legacy.LENGTH);
    channel.submit(Collections.nCopies(COPIES, copy));
    legacy.container().close();
    ChannelState state = channel.awaitRest(Initiator.LIMIT);
    long made = channel.completed();
    unless(state == ChannelState.IDLE && made == COPIES, "%s after %d copies", state, made);
    long right = Pattern.mismatch(target, pair.run().seed());
    unless(right == Legacy.LENGTH, "a copy by B is wrong at 0x%x", right);
    legacy.checkCopy(iova);
    return COPIES + " copies";
  }
}
