package dev.peerbar.lab.vfio;

import dev.peerbar.lab.uapi.VfioDeviceFeature;
import dev.peerbar.lab.uapi.VfioIoctls;
import java.io.IOException;

/**
 * A function whose owner lets the kernel power it down (VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY and
 * _EXIT).
 *
 * @param device the function
 */
public record LowPower(VfioDevice device) {
  private static final VfioDeviceFeature ENTRY = new VfioDeviceFeature(3);
  private static final VfioDeviceFeature EXIT = new VfioDeviceFeature(5);

  /** From now on it may be powered down, and its BARs are out of reach. */
  public void enter() throws IOException {
    set(ENTRY);
  }

  /** From now on it may not be, and is not. */
  public void exit() throws IOException {
    set(EXIT);
  }

  private void set(VfioDeviceFeature feature) throws IOException {
    device.pci().system().ioctl(device.fd(), VfioIoctls.VFIO_DEVICE_FEATURE, feature.set());
  }
}
