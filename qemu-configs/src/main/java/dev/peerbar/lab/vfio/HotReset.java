package dev.peerbar.lab.vfio;

import dev.peerbar.lab.uapi.VfioIoctls;
import dev.peerbar.lab.uapi.VfioPciHotReset;
import dev.peerbar.lab.uapi.VfioPciHotResetInfo;
import java.io.IOException;
import java.util.List;

/**
 * The reset of a function together with all that shares its bus or slot.
 *
 * @param device one of them
 */
public record HotReset(VfioDevice device) {
  private static final int MOST = 32;

  /**
   * What it resets.
   *
   * @throws dev.peerbar.lab.guest.GuestErrnoException ENODEV if neither bus nor slot can be reset
   */
  public VfioPciHotResetInfo info() throws IOException {
    byte[] argument = VfioPciHotResetInfo.request(MOST);
    device
        .pci()
        .system()
        .ioctl(device.fd(), VfioIoctls.VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, argument);
    return VfioPciHotResetInfo.decode(argument);
  }

  /**
   * Makes it.
   *
   * @param groups descriptors of the groups that own all of them; none for a function that is open
   *     through its character device
   */
  public void make(List<Integer> groups) throws IOException {
    device
        .pci()
        .system()
        .ioctl(
            device.fd(),
            VfioIoctls.VFIO_DEVICE_PCI_HOT_RESET,
            new VfioPciHotReset(groups).encode());
  }
}
