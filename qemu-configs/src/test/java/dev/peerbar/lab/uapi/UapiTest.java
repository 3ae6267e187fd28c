package dev.peerbar.lab.uapi;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.lab.uapi.IommuIoasIovaRanges.IommuIovaRange;
import dev.peerbar.lab.uapi.VfioDeviceFeatureDmaBuf.VfioRegionDmaRange;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Numbers and layouts against what a C compiler makes of the kernel's headers. */
class UapiTest {
  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }

  @Test
  void ioctlNumbersAreThoseOfTheHeaders() {
    assertThat(VfioIoctls.VFIO_DEVICE_GET_INFO.number()).isEqualTo(0x3b6b);
    assertThat(VfioIoctls.VFIO_DEVICE_RESET.number()).isEqualTo(0x3b6f);
    assertThat(VfioIoctls.VFIO_DEVICE_FEATURE.number()).isEqualTo(0x3b75);
    assertThat(VfioIoctls.VFIO_DEVICE_BIND_IOMMUFD.number()).isEqualTo(0x3b76);
    assertThat(VfioIoctls.VFIO_DEVICE_DETACH_IOMMUFD_PT.number()).isEqualTo(0x3b78);
    assertThat(IommufdIoctls.IOMMU_DESTROY.number()).isEqualTo(0x3b80);
    assertThat(IommufdIoctls.IOMMU_IOAS_MAP_FILE.number()).isEqualTo(0x3b8f);
    assertThat(IommufdIoctls.IOMMU_IOAS_ALLOW_IOVAS.number()).isEqualTo(0x3b82);
    assertThat(IommufdIoctls.IOMMU_IOAS_COPY.number()).isEqualTo(0x3b83);
    assertThat(IommufdIoctls.IOMMU_OPTION.number()).isEqualTo(0x3b87);
    assertThat(IommufdIoctls.IOMMU_VFIO_IOAS.number()).isEqualTo(0x3b88);
    assertThat(IommufdIoctls.IOMMU_HWPT_ALLOC.number()).isEqualTo(0x3b89);
    assertThat(IommufdIoctls.IOMMU_GET_HW_INFO.number()).isEqualTo(0x3b8a);
    assertThat(IommufdIoctls.IOMMU_HWPT_SET_DIRTY_TRACKING.number()).isEqualTo(0x3b8b);
    assertThat(IommufdIoctls.IOMMU_HWPT_GET_DIRTY_BITMAP.number()).isEqualTo(0x3b8c);
    assertThat(IommufdIoctls.VFIO_IOMMU_UNMAP_DMA.number()).isEqualTo(0x3b72);
    assertThat(VfioContainerIoctls.VFIO_IOMMU_GET_INFO.number()).isEqualTo(0x3b70);
    assertThat(DmaBufIoctls.DMA_HEAP_IOCTL_ALLOC.number()).isEqualTo(0xc0184800L);
    assertThat(DmaBufIoctls.UDMABUF_CREATE.number()).isEqualTo(0x40187542L);
    assertThat(DmaBufIoctls.DMA_BUF_IOCTL_SYNC.number()).isEqualTo(0x40086200L);
    assertThat(Ioctl.iowr("X", 'x', 1, 16).number()).isEqualTo(0xc0107801L);
  }

  @Test
  void bindAttachAndDetachStartWithTheirSize() {
    assertThat(hex(new VfioDeviceBindIommufd(7).encode()))
        .isEqualTo("1800000000000000" + "0700000000000000" + "0000000000000000");
    assertThat(hex(new VfioDeviceAttachIommufdPt(3).encode()))
        .isEqualTo("1000000000000000" + "0300000000000000");
    assertThat(hex(new VfioDeviceDetachIommufdPt().encode())).isEqualTo("0c0000000000000000000000");
    assertThat(
            VfioDeviceBindIommufd.deviceId(
                new byte[] {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0}))
        .isEqualTo(9);
  }

  @Test
  void exportAsksForTheDmaBufFeature() {
    byte[] bytes =
        new VfioDeviceFeatureDmaBuf(
                VfioPciRegion.BAR2, 02000002, List.of(new VfioRegionDmaRange(0x1000, 0x2000)))
            .encode();
    assertThat(hex(bytes))
        .isEqualTo(
            "28000000"
                + "0b000100"
                + "02000000"
                + "02000800"
                + "00000000"
                + "01000000"
                + "0010000000000000"
                + "0020000000000000");
  }

  @Test
  void exportAsksForStructPages() {
    VfioDeviceFeatureDmaBuf asked =
        new VfioDeviceFeatureDmaBuf(
            VfioPciRegion.BAR2,
            02000002,
            VfioDeviceFeatureDmaBuf.ZONE_DEVICE,
            List.of(new VfioRegionDmaRange(0, 0x1000), new VfioRegionDmaRange(0x5000, 0x2000)));
    assertThat(hex(asked.encode()))
        .startsWith("38000000" + "0b000100" + "02000000" + "02000800" + "01000000" + "02000000");
    assertThat(asked.length()).isEqualTo(0x3000);
  }

  @Test
  void aFeatureIsProbedGotAndSet() {
    VfioDeviceFeature feature = new VfioDeviceFeature(14);
    assertThat(hex(feature.probeSet())).isEqualTo("08000000" + "0e000600");
    assertThat(hex(feature.get(4))).isEqualTo("0c000000" + "0e000100" + "00000000");
    assertThat(hex(feature.set(-1, 1)))
        .isEqualTo("10000000" + "0e000200" + "ffffffff" + "01000000");
    assertThat(hex(feature.set())).isEqualTo("08000000" + "0e000200");
  }

  @Test
  void mappingCarriesFlagsAndGivesTheIova() {
    byte[] bytes =
        new IommuIoasMap(
                EnumSet.of(IommuIoasMapFlag.READABLE, IommuIoasMapFlag.WRITEABLE),
                5,
                0x7000,
                0x1000,
                0)
            .encode();
    assertThat(hex(bytes))
        .isEqualTo(
            "28000000"
                + "06000000"
                + "05000000"
                + "00000000"
                + "0070000000000000"
                + "0010000000000000"
                + "0000000000000000");
    bytes[33] = 0x20;
    assertThat(IommuIoasMap.iova(bytes)).isEqualTo(0x2000);
    assertThat(
            hex(
                new IommuIoasMapFile(
                        EnumSet.of(IommuIoasMapFlag.FIXED_IOVA), 5, 8, 0, 0x1000, 0x3000)
                    .encode()))
        .isEqualTo(
            "28000000"
                + "01000000"
                + "05000000"
                + "08000000"
                + "0000000000000000"
                + "0010000000000000"
                + "0030000000000000");
    assertThat(hex(new IommuIoasUnmap(5, 0x3000, 0x1000).encode()))
        .isEqualTo("18000000" + "05000000" + "0030000000000000" + "0010000000000000");
    assertThat(hex(new IommuIoasAlloc().encode())).isEqualTo("0c0000000000000000000000");
    assertThat(hex(new IommuDestroy(5).encode())).isEqualTo("0800000005000000");
  }

  @Test
  void copiesAndOptionsOfAnIoasNameIt() {
    byte[] copy =
        new IommuIoasCopy(
                EnumSet.of(IommuIoasMapFlag.READABLE, IommuIoasMapFlag.WRITEABLE),
                1,
                2,
                0x1000,
                0x2000,
                0x3000)
            .encode();
    assertThat(hex(copy))
        .isEqualTo(
            "28000000060000000100000002000000"
                + "001000000000000000200000000000000030000000000000");
    assertThat(IommuIoasCopy.iova(copy)).isEqualTo(0x2000);
    assertThat(hex(new IommuIoasAllowIovas(1, 2, 0x7000).encode()))
        .isEqualTo("18000000" + "01000000" + "02000000" + "00000000" + "0070000000000000");
    assertThat(hex(IommuIoasAllowIovas.array(List.of(new IommuIovaRange(1, 2)))))
        .isEqualTo("0100000000000000" + "0200000000000000");
    assertThat(hex(new IommuOption(IommuOption.HUGE_PAGES, 5, 0).encode()))
        .isEqualTo("18000000" + "01000000" + "00000000" + "05000000" + "0000000000000000");
    assertThat(hex(new IommuVfioIoas(5).encode())).isEqualTo("0c000000" + "05000000" + "01000000");
    assertThat(hex(IommuVfioIoas.type1Unmap(0x1000, 0x2000)))
        .isEqualTo("18000000" + "00000000" + "0010000000000000" + "0020000000000000");
  }

  @Test
  void pageTablesAreOfADeviceAndAnIoas() {
    byte[] alloc = new IommuHwptAlloc(IommuHwptAlloc.DIRTY_TRACKING, 3, 4).encode();
    assertThat(hex(alloc))
        .isEqualTo("30000000" + "02000000" + "03000000" + "04000000" + "00000000".repeat(8));
    ByteBuffer.wrap(alloc).order(ByteOrder.LITTLE_ENDIAN).putInt(16, 9);
    assertThat(IommuHwptAlloc.hwptId(alloc)).isEqualTo(9);
    byte[] info = new IommuHwInfo(3).encode();
    assertThat(hex(info)).isEqualTo("28000000" + "00000000" + "03000000" + "00000000".repeat(7));
    ByteBuffer.wrap(info).order(ByteOrder.LITTLE_ENDIAN).putLong(32, 5);
    assertThat(IommuHwInfo.capabilities(info)).isEqualTo(5);
    assertThat(hex(new IommuHwptSetDirtyTracking(true, 6).encode()))
        .isEqualTo("10000000" + "01000000" + "06000000" + "00000000");
    assertThat(hex(new IommuHwptGetDirtyBitmap(6, 0x1000, 0x2000, 0x1000, 0x7000).encode()))
        .isEqualTo(
            "30000000"
                + "06000000"
                + "00000000"
                + "00000000"
                + "0010000000000000"
                + "0020000000000000"
                + "0010000000000000"
                + "0070000000000000");
  }

  @Test
  void otherDmabufsAreMadeOfHeapsAndMemfds() {
    byte[] heap = new DmaHeapAllocationData(0x1000, 02000002).encode();
    assertThat(hex(heap))
        .isEqualTo("0010000000000000" + "00000000" + "02000800" + "0000000000000000");
    ByteBuffer.wrap(heap).order(ByteOrder.LITTLE_ENDIAN).putInt(8, 7);
    assertThat(DmaHeapAllocationData.fd(heap)).isEqualTo(7);
    assertThat(hex(new UdmabufCreate(7, 0x1000, 0x2000).encode()))
        .isEqualTo("07000000" + "01000000" + "0010000000000000" + "0020000000000000");
  }

  @Test
  void regionInfoFollowsItsCapabilityChain() {
    ByteBuffer b = ByteBuffer.allocate(32 + 8 + 48).order(ByteOrder.LITTLE_ENDIAN);
    b.putInt(88).putInt(0xf).putInt(2).putInt(32).putLong(0x10000).putLong(0x20000000000L);
    // A capability that is not known, then the sparse mmap one with two areas.
    b.putShort((short) 2).putShort((short) 1).putInt(40);
    b.putShort((short) 1).putShort((short) 1).putInt(0).putInt(2).putInt(0);
    b.putLong(0).putLong(0x1000).putLong(0x8000).putLong(0x2000);
    VfioRegionInfo info = VfioRegionInfo.decode(b.array());
    assertThat(info.size()).isEqualTo(0x10000);
    assertThat(info.offset()).isEqualTo(0x20000000000L);
    assertThat(info.canMap()).isTrue();
    assertThat(info.mappable())
        .containsExactly(
            new VfioRegionInfo.Area(0, 0x1000), new VfioRegionInfo.Area(0x8000, 0x2000));
  }

  @Test
  void regionInfoWithoutRoomForItsCapabilitiesHasNone() {
    byte[] bytes = VfioRegionInfo.request(2, VfioRegionInfo.SIZE);
    ByteBuffer.wrap(bytes)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(0, 64)
        .putInt(4, 0xf)
        .putInt(12, 32);
    VfioRegionInfo info = VfioRegionInfo.decode(bytes);
    assertThat(info.argsz()).isEqualTo(64);
    assertThat(info.mappable()).isEmpty();
  }

  @Test
  void interruptsAreSetByEventfdAndTakenAwayByNone() {
    assertThat(hex(new VfioIrqSet(VfioPciIrq.MSIX, 1, List.of(4, -1)).encode()))
        .isEqualTo(
            "1c000000" + "24000000" + "02000000" + "01000000" + "02000000" + "04000000ffffffff");
    assertThat(hex(VfioIrqSet.none(VfioPciIrq.MSIX).encode()))
        .isEqualTo("14000000" + "21000000" + "02000000" + "00000000" + "00000000");
  }

  @Test
  void hotResetsNameGroupsAndSayWhatTheyReset() {
    assertThat(hex(new VfioPciHotReset(List.of()).encode())).isEqualTo("0c0000000000000000000000");
    assertThat(hex(new VfioPciHotReset(List.of(7, 9)).encode()))
        .isEqualTo("140000000000000002000000" + "0700000009000000");
    assertThat(VfioIoctls.VFIO_DEVICE_GET_PCI_HOT_RESET_INFO.number()).isEqualTo(0x3b70);
    assertThat(VfioIoctls.VFIO_DEVICE_PCI_HOT_RESET.number()).isEqualTo(0x3b71);
    byte[] answer = VfioPciHotResetInfo.request(2);
    assertThat(hex(answer)).startsWith("240000000000000000000000").hasSize(2 * 36);
    ByteBuffer.wrap(answer)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(4, 3)
        .putInt(8, 1)
        .putInt(12, 5)
        .putShort(16, (short) 1)
        .put(18, (byte) 0xa0)
        .put(19, (byte) 0x0b);
    VfioPciHotResetInfo info = VfioPciHotResetInfo.decode(answer);
    assertThat(info.flags())
        .isEqualTo(VfioPciHotResetInfo.DEV_ID | VfioPciHotResetInfo.DEV_ID_OWNED);
    assertThat(info.dependents())
        .containsExactly(new VfioPciHotResetInfo.Dependent(5, "0001:a0:01.3"));
  }

  @Test
  void containersMapAndUnmap() {
    assertThat(VfioContainerIoctls.VFIO_GET_API_VERSION.number()).isEqualTo(0x3b64);
    assertThat(VfioContainerIoctls.VFIO_SET_IOMMU.number()).isEqualTo(0x3b66);
    assertThat(VfioContainerIoctls.VFIO_GROUP_GET_DEVICE_FD.number()).isEqualTo(0x3b6a);
    assertThat(VfioContainerIoctls.VFIO_IOMMU_MAP_DMA.number()).isEqualTo(0x3b71);
    assertThat(VfioContainerIoctls.VFIO_IOMMU_UNMAP_DMA.number()).isEqualTo(0x3b72);
    byte[] map =
        new VfioDmaMap(EnumSet.allOf(VfioDmaMap.Flag.class), 0x7000, 0x10000, 0x2000).encode();
    assertThat(hex(map))
        .isEqualTo(
            "20000000" + "03000000" + "0070000000000000" + "0000010000000000" + "0020000000000000");
    byte[] unmap = new VfioDmaUnmap(VfioDmaUnmap.ALL, 0x1000, 0x2000).encode();
    assertThat(hex(unmap))
        .isEqualTo("18000000" + "02000000" + "0010000000000000" + "0020000000000000");
    assertThat(VfioDmaUnmap.unmapped(unmap)).isEqualTo(0x2000);
  }

  @Test
  void aContainersRangesAreInACapability() {
    ByteBuffer answer = ByteBuffer.allocate(96).order(ByteOrder.LITTLE_ENDIAN);
    answer.putInt(0, 96).putInt(4, 3).putLong(8, 4096).putInt(16, 24);
    // A capability of another kind comes first.
    answer.putShort(24, (short) 3).putInt(28, 40);
    answer.putShort(40, (short) 1).putShort(42, (short) 1).putInt(48, 2);
    answer.putLong(56, 0).putLong(64, 0xfedf_ffffL);
    answer.putLong(72, 0xfef0_0000L).putLong(80, -1L);
    assertThat(VfioIommuType1Info.decode(answer.array()).ranges())
        .containsExactly(new IommuIovaRange(0, 0xfedf_ffffL), new IommuIovaRange(0xfef0_0000L, -1));
    assertThat(VfioIommuType1Info.decode(answer.putInt(4, 1).array()).ranges()).isEmpty();
    assertThat(VfioIommuType1Info.request()).startsWith(0, 16, 0, 0, 0);
  }
}
