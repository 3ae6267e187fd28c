package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.server.dma.DmaTable.RefusedException;
import dev.peerbar.server.fixture.OpenFiles;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class DmaTableTest {
  private static final long PAGE = DmaTable.PAGE_SIZE;
  private static final int MOST = 5000;

  private final DmaTable table = new DmaTable(new Gate(), MOST);
  private FileDescriptor file;
  private long descriptorsBefore;

  @BeforeEach
  void createFile() throws IOException {
    descriptorsBefore = OpenFiles.count();
    file = SharedMemory.create("table-test", 16 * PAGE);
  }

  @AfterEach
  void leavesNoDescriptor() throws IOException {
    table.clear();
    file.close();
    assertThat(OpenFiles.count()).isEqualTo(descriptorsBefore);
  }

  private void map(long iova, long size) throws Exception {
    table.map(iova, size, true, true, 0, Optional.empty());
  }

  private void mapFile(long iova, long size, long offset) throws Exception {
    table.map(iova, size, true, true, offset, Optional.of(file.duplicate()));
  }

  private static void refused(Errno errno, ThrowingCallable call) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(
            RefusedException.class, e -> assertThat(e.errno()).isEqualTo(errno));
  }

  @Test
  void aFileThatSomebodyElseAnswersForIsNotTouched() throws Exception {
    // A page as any other by its status; what it is made of is up to its file system.
    Path page = Path.of("/sys/kernel/mm/transparent_hugepage/enabled");
    assumeThat(page).exists();
    table.map(0, PAGE, true, false, 0, Optional.of(OpenFiles.readOnly(page)));
    assertThat(table.find(0).direct()).as("reached by messages").isFalse();
    mapFile(PAGE, PAGE, 0);
    assertThat(table.find(PAGE).direct()).isTrue();
  }

  @ParameterizedTest
  @CsvSource({"0x0fff", "0x2000", "0x2fff", "0x1f000"})
  void findsTheMappingThatCoversAnAddress(String address) throws Exception {
    map(0x1000, 0x1000);
    map(0x3000, 0x1000);
    assertThat(table.find(Long.decode(address))).isNull();
    assertThat(table.find(0x1000).iova()).isEqualTo(0x1000);
    assertThat(table.find(0x1fff).iova()).isEqualTo(0x1000);
    assertThat(table.find(0x3abc).iova()).isEqualTo(0x3000);
  }

  @Test
  void ordersAddressesUnsigned() throws Exception {
    map(-PAGE, PAGE);
    map(0x7fff_ffff_ffff_f000L, PAGE);
    map(0x8000_0000_0000_0000L, PAGE);
    assertThat(table.find(-1).iova()).isEqualTo(-PAGE);
    assertThat(table.find(0x8000_0000_0000_0fffL).iova()).isEqualTo(0x8000_0000_0000_0000L);
    table.unmap(0x7fff_ffff_ffff_f000L, 2 * PAGE);
    assertThat(table.size()).isEqualTo(1);
  }

  @ParameterizedTest
  @CsvSource({"0x4000,0x1000", "0x3000,0x2000", "0x5000,0x1000", "0x0,0x10000", "0x5000,0x4000"})
  void refusesAnOverlap(String iova, String size) throws Exception {
    mapFile(0x4000, 2 * PAGE, 0);
    refused(Errno.EEXIST, () -> mapFile(Long.decode(iova), Long.decode(size), 0));
    assertThat(table.size()).isEqualTo(1);
  }

  @ParameterizedTest
  @CsvSource({
    "0x1000,0,empty",
    "0x1001,0x1000,start",
    "0x1000,0x1001,length",
    "0xfffffffffffff000,0x2000,wrap",
  })
  void refusesARangeThatIsNone(String iova, String size, String why) {
    long start = Long.parseUnsignedLong(iova.substring(2), 16);
    long length = Long.decode(size);
    refused(Errno.EINVAL, () -> map(start, length));
    refused(Errno.EINVAL, () -> table.unmap(start, length));
  }

  @Test
  void refusesAMapBeyondItsFile() throws Exception {
    refused(Errno.EINVAL, () -> mapFile(0, 17 * PAGE, 0));
    refused(Errno.EINVAL, () -> mapFile(0, PAGE, 16 * PAGE));
    refused(Errno.EINVAL, () -> mapFile(0, PAGE, Long.MAX_VALUE - 4095));
    refused(Errno.EINVAL, () -> mapFile(0, PAGE, 1));
    mapFile(0, 16 * PAGE, 0);
  }

  @Test
  void refusesToWriteThroughAReadOnlyDescriptor() throws Exception {
    try (FileDescriptor readOnly = OpenFiles.readOnly(Path.of("/proc/self/fd/" + file.number()))) {
      refused(
          Errno.EACCES, () -> table.map(0, PAGE, true, true, 0, Optional.of(readOnly.duplicate())));
      table.map(0, PAGE, true, false, 0, Optional.of(readOnly.duplicate()));
    }
  }

  @Test
  void refusesNoPermissionAndAnOffsetWithoutAFile() {
    refused(Errno.EINVAL, () -> table.map(0, PAGE, false, false, 0, Optional.empty()));
    refused(Errno.EINVAL, () -> table.map(0, PAGE, true, true, PAGE, Optional.empty()));
  }

  @Test
  void unmapsEverythingWhollyInside() throws Exception {
    mapFile(0x1000, PAGE, 0);
    mapFile(0x3000, PAGE, PAGE);
    map(0x10000, PAGE);
    table.unmap(0, 0x8000);
    assertThat(table.size()).isEqualTo(1);
    table.unmap(0, 0x8000);
    assertThat(table.size()).isEqualTo(1);
  }

  @ParameterizedTest
  @CsvSource({"0x5000,0x1000", "0x4000,0x1000", "0x0,0x5000", "0x5000,0x8000"})
  void refusesToCutAMapping(String iova, String size) throws Exception {
    map(0x4000, 2 * PAGE);
    refused(Errno.EINVAL, () -> table.unmap(Long.decode(iova), Long.decode(size)));
    assertThat(table.find(0x5fff)).isNotNull();
  }

  @Test
  void takesOneOfARowThatIsLongerThanASignedNumber() throws Exception {
    long size = 3L << 60;
    for (int i = 0; i < 5; i++) {
      map(i * size, size);
    }
    refused(Errno.EINVAL, () -> table.unmap(3 * size, size + PAGE));
    table.unmap(3 * size, size);
    assertThat(table.size()).isEqualTo(4);
    assertThat(table.find(3 * size)).isNull();
    assertThat(table.find(4 * size - 1)).isNull();
    assertThat(table.find(3 * size - 1).iova()).isEqualTo(2 * size);
    assertThat(table.find(4 * size + 1).iova()).isEqualTo(4 * size);
  }

  @Test
  void holdsNoDescriptorForSealedMemoryHoweverManyMappings() throws Exception {
    long before = OpenFiles.count();
    for (int i = 0; i < 1000; i++) {
      mapFile(i * PAGE, PAGE, (i % 16) * PAGE);
    }
    assertThat(OpenFiles.count()).isEqualTo(before);
  }

  @Test
  void isFullAtTheNegotiatedNumber() throws Exception {
    for (int i = 0; i < MOST; i++) {
      map(i * PAGE, PAGE);
    }
    refused(Errno.ENOSPC, () -> map(MOST * PAGE, PAGE));
  }
}
