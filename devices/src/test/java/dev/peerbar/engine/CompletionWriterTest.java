package dev.peerbar.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class CompletionWriterTest {
  private static final long AT = 0x1000;

  /** Takes writes until its job ends or memory does. */
  private static final class Writes implements Dma {
    private final List<String> writes = new ArrayList<>();
    private int until = Integer.MAX_VALUE;
    private boolean faults;

    @Override
    public void write(long iova, MemorySegment from) throws DmaFaultException, JobEndedException {
      if (writes.size() == until) {
        if (faults) {
          throw new DmaFaultException(
              DmaFaultException.Access.WRITE, DmaFaultException.Reason.UNMAPPED, iova, 0);
        }
        throw new JobEndedException();
      }
      writes.add("%d+%d".formatted(iova - AT, from.byteSize()));
    }

    @Override
    public void read(long iova, MemorySegment into) {
      throw new AssertionError("nothing is read");
    }

    @Override
    public void copy(long fromIova, long toIova, long length) {
      throw new AssertionError("nothing is copied");
    }

    @Override
    public void local(MemorySegment from, MemorySegment to) {
      throw new AssertionError("nothing is local");
    }
  }

  private final Writes writes = new Writes();

  @ParameterizedTest
  @CsvSource({"32, 0, 4, 4+28, 0+4", "16, 8, 8, 0+8, 8+8"})
  void writesTheBodyThenTheFlag(int bytes, int at, int length, String body, String flag)
      throws Exception {
    new CompletionWriter(bytes, at, length).write(writes, AT);

    assertThat(writes.writes).containsExactly(body, flag);
  }

  @Test
  void mayBeAFlagAlone() throws Exception {
    new CompletionWriter(8, 0, 8).write(writes, AT);

    assertThat(writes.writes).containsExactly("0+8");
  }

  @ParameterizedTest
  @CsvSource({"0, true", "0, false", "1, true", "1, false"})
  void writesNoFlagAfterTheEndOrAFault(int until, boolean faults) {
    writes.until = until;
    writes.faults = faults;

    assertThatThrownBy(() -> new CompletionWriter(32, 0, 4).write(writes, AT))
        .isInstanceOf(faults ? DmaFaultException.class : JobEndedException.class);
    assertThat(writes.writes).doesNotContain("0+4");
  }

  @Test
  void hasItsFlagAtAnEnd() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new CompletionWriter(16, 4, 4))
        .withMessageContaining("at no end");
  }
}
