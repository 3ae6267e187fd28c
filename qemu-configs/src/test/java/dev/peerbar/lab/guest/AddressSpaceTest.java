package dev.peerbar.lab.guest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.lab.guest.AddressSpace.Area;
import org.junit.jupiter.api.Test;

class AddressSpaceTest {
  @Test
  void anAreaHasBoundsRightsAndAName() {
    assertThat(
            Area.parse(
                "7f8fe0a04000-7f8fe0a08000 rw-s 20000001000 00:06 62                     "
                    + "    /dev/vfio/devices/vfio0"))
        .isEqualTo(new Area(0x7f8fe0a04000L, 0x7f8fe0a08000L, "rw-s", "/dev/vfio/devices/vfio0"));
  }

  @Test
  void plainMemoryHasNoName() {
    assertThat(Area.parse("7f8fe0a04000-7f8fe0a08000 rw-p 00000000 00:00 0 "))
        .isEqualTo(new Area(0x7f8fe0a04000L, 0x7f8fe0a08000L, "rw-p", ""));
  }

  @Test
  void aNameMayHaveBlanks() {
    assertThat(Area.parse("1000-2000 r--p 00000000 00:01 7 /memfd:a b (deleted)").name())
        .isEqualTo("/memfd:a b (deleted)");
  }
}
