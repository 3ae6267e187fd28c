package dev.peerbar.lab.vfio;

import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestErrnoException;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.linux.Errno;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * How a program of the guest gets at functions that are bound to vfio-pci: all of them reach the
 * same memory. Functions are opened by any thread, and closed before it.
 */
public sealed interface VfioAccess extends AutoCloseable {

  /** The file of iommufd. */
  String IOMMU = "/dev/iommu";

  /** By character devices where the guest's kernel has iommufd, else by groups. */
  static VfioAccess of(Guest guest) throws IOException {
    return guest.system().exists(IOMMU) ? new ByDevice(Iommufd.open(guest)) : byGroups(guest);
  }

  /** By groups, whatever else the guest's kernel has. */
  static VfioAccess byGroups(Guest guest) throws IOException {
    return new ByGroup(guest);
  }

  /** What the functions reach. */
  DmaSpace space();

  /** Opens a function that is bound to vfio-pci, and lets it reach that. */
  GuestDevice open(Guest guest, PciDevice pci) throws IOException;

  /** Takes all away that functions reach; how many bytes that was. */
  long unmapAll() throws IOException;

  @Override
  void close() throws IOException;

  /** By character devices, with one IOAS of an iommufd. */
  final class ByDevice implements VfioAccess {
    private final Iommufd iommufd;
    private final Ioas ioas;

    private ByDevice(Iommufd iommufd) throws IOException {
      this.iommufd = iommufd;
      ioas = iommufd.allocIoas();
    }

    public Iommufd iommufd() {
      return iommufd;
    }

    @Override
    public Ioas space() {
      return ioas;
    }

    @Override
    public GuestDevice open(Guest guest, PciDevice pci) throws IOException {
      return GuestDevice.open(guest, pci, ioas);
    }

    @Override
    public long unmapAll() throws IOException {
      return ioas.unmapAll();
    }

    @Override
    public void close() throws IOException {
      ioas.close();
      iommufd.close();
    }
  }

  /** By groups, in one container. */
  final class ByGroup implements VfioAccess {
    private final VfioContainer container;
    private final List<VfioGroup> groups = new ArrayList<>();

    private ByGroup(Guest guest) throws IOException {
      container = VfioContainer.open(guest);
    }

    @Override
    public VfioContainer space() {
      return container;
    }

    @Override
    public synchronized GuestDevice open(Guest guest, PciDevice pci) throws IOException {
      return GuestDevice.open(guest, device(pci), container);
    }

    private VfioDevice device(PciDevice pci) throws IOException {
      VfioGroup group = groupOf(pci);
      try {
        return group.device(pci);
      } catch (GuestErrnoException e) {
        if (!e.is(Errno.ENODEV)) {
          throw e;
        }
        // A group that is open does not get back what was unbound from vfio-pci and bound again.
        groups.remove(group);
        group.close();
        return groupOf(pci).device(pci);
      }
    }

    private VfioGroup groupOf(PciDevice pci) throws IOException {
      int number = VfioGroup.numberOf(pci);
      for (VfioGroup group : groups) {
        if (group.number() == number) {
          return group;
        }
      }
      VfioGroup group = VfioGroup.open(pci);
      try {
        group.setContainer(container);
        if (groups.isEmpty()) {
          container.setIommu(VfioContainer.Type.TYPE1V2);
        }
      } catch (IOException | RuntimeException e) {
        group.close();
        throw e;
      }
      groups.add(group);
      return group;
    }

    @Override
    public long unmapAll() throws IOException {
      // It is the groups that have an IOMMU.
      return groups.isEmpty() ? 0 : container.unmapAll();
    }

    @Override
    public void close() throws IOException {
      for (VfioGroup group : groups) {
        group.close();
      }
      container.close();
    }
  }
}
