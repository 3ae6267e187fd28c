package dev.peerbar.devices.nvme.admin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.ArgumentMatchers.anyInt;
import static org.mockito.ArgumentMatchers.anyLong;
import static org.mockito.Mockito.doAnswer;
import static org.mockito.Mockito.never;
import static org.mockito.Mockito.verify;
import static org.mockito.Mockito.verifyNoInteractions;
import static org.mockito.Mockito.when;

import dev.peerbar.devices.nvme.NvmeConfig;
import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.devices.nvme.queue.Priority;
import dev.peerbar.pci.DoorbellMode;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class QueueCommandsTest {
  private static final long ADDRESS = 0x12_3456_8000L;

  private final AdminFixture nvme = new AdminFixture();

  private static SubmissionEntry.Builder createCompletionQueue(int dword11) {
    return SubmissionEntry.builder(AdminOpcode.CREATE_IO_COMPLETION_QUEUE)
        .prp1(ADDRESS)
        .dword(10, 0x00ff_0005)
        .dword(11, dword11);
  }

  private static SubmissionEntry.Builder createSubmissionQueue(int dword11) {
    return SubmissionEntry.builder(AdminOpcode.CREATE_IO_SUBMISSION_QUEUE)
        .prp1(ADDRESS)
        .dword(10, 0x00ff_0006)
        .dword(11, dword11);
  }

  @Test
  void queuesAreCreatedAsAskedFor() {
    when(nvme.queues.createCompletionQueue(5, 256, ADDRESS, 7, true)).thenReturn(Status.SUCCESS);
    when(nvme.queues.createSubmissionQueue(6, 256, ADDRESS, 5, Priority.MEDIUM))
        .thenReturn(Status.SUCCESS);

    assertThat(nvme.run(createCompletionQueue(7 << 16 | 0b11)).status()).isEqualTo(Status.SUCCESS);
    assertThat(nvme.run(createSubmissionQueue(5 << 16 | 0b101)).status()).isEqualTo(Status.SUCCESS);
  }

  @Test
  void whatTheQueuesRefuseIsLogged() {
    when(nvme.queues.createCompletionQueue(5, 256, ADDRESS, 7, true))
        .thenReturn(Status.INVALID_QUEUE_SIZE);
    when(nvme.queues.createSubmissionQueue(6, 256, ADDRESS, 5, Priority.URGENT))
        .thenReturn(Status.COMPLETION_QUEUE_INVALID);

    assertThat(nvme.run(createCompletionQueue(7 << 16 | 0b11)).status())
        .isEqualTo(Status.INVALID_QUEUE_SIZE);
    assertThat(nvme.errorLocation()).isEqualTo("dword 10 bit 16");
    assertThat(nvme.run(createSubmissionQueue(5 << 16 | 1)).status())
        .isEqualTo(Status.COMPLETION_QUEUE_INVALID);
    assertThat(nvme.errorLocation()).isEqualTo("dword 11 bit 16");
  }

  @Test
  void queuesAreContiguous() {
    assertThat(nvme.run(createCompletionQueue(0b10)).status())
        .isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    assertThat(nvme.run(createSubmissionQueue(5 << 16)).status())
        .isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    verifyNoInteractions(nvme.queues);
  }

  @Test
  void withoutMsixThereIsOneVector() {
    nvme.msix = false;
    when(nvme.queues.createCompletionQueue(5, 256, ADDRESS, 0, true)).thenReturn(Status.SUCCESS);

    assertThat(nvme.run(createCompletionQueue(1 << 16 | 0b11)).status())
        .isEqualTo(Status.INVALID_INTERRUPT_VECTOR);
    assertThat(nvme.run(createCompletionQueue(0b11)).status()).isEqualTo(Status.SUCCESS);
  }

  @Test
  void entrySizesAreSetFirst() {
    nvme.entrySizesSet = false;
    assertThat(nvme.run(createCompletionQueue(0b11)).status()).isEqualTo(Status.INVALID_QUEUE_SIZE);
    assertThat(nvme.run(createSubmissionQueue(5 << 16 | 1)).status())
        .isEqualTo(Status.INVALID_QUEUE_SIZE);
    verifyNoInteractions(nvme.queues);
  }

  @Test
  void aDeletionEndsWhenTheQueueIsGone() {
    List<Consumer<Status>> waiting = new ArrayList<>();
    doAnswer(call -> waiting.add(call.getArgument(1)))
        .when(nvme.queues)
        .deleteSubmissionQueue(anyInt(), any());
    when(nvme.queues.deleteCompletionQueue(5)).thenReturn(Status.INVALID_QUEUE_DELETION);

    AdminFixture.Answer deletion =
        nvme.run(SubmissionEntry.builder(AdminOpcode.DELETE_IO_SUBMISSION_QUEUE).dword(10, 6));
    assertThat(
            nvme.run(SubmissionEntry.builder(AdminOpcode.DELETE_IO_COMPLETION_QUEUE).dword(10, 5))
                .status())
        .isEqualTo(Status.INVALID_QUEUE_DELETION);
    assertThat(deletion.waits()).isTrue();

    waiting.getFirst().accept(Status.SUCCESS);
    assertThat(deletion.status()).isEqualTo(Status.SUCCESS);
  }

  @Test
  void abortsAreLimited() {
    List<Consumer<Boolean>> waiting = new ArrayList<>();
    when(nvme.queues.hasSubmissionQueue(6)).thenReturn(true);
    doAnswer(call -> waiting.add(call.getArgument(2)))
        .when(nvme.queues)
        .abort(anyInt(), anyInt(), any());
    List<AdminFixture.Answer> aborts = new ArrayList<>();
    for (int id = 0; id < 4; id++) {
      aborts.add(abort(id << 16 | 6));
    }
    assertThat(abort(4 << 16 | 6).status()).isEqualTo(Status.ABORT_COMMAND_LIMIT_EXCEEDED);

    waiting.get(0).accept(true);
    waiting.get(1).accept(false);

    assertThat(aborts.get(0).dword0()).isZero();
    assertThat(aborts.get(1).dword0()).as("not aborted").isEqualTo(1);
    assertThat(abort(5 << 16 | 6).waits()).isTrue();
    assertThat(abort(5 << 16 | 7).dword0()).as("no such queue").isEqualTo(1);
  }

  private AdminFixture.Answer abort(int dword10) {
    return nvme.run(SubmissionEntry.builder(AdminOpcode.ABORT).dword(10, dword10));
  }

  @Test
  void shadowDoorbellsAreOnPages() {
    SubmissionEntry.Builder config =
        SubmissionEntry.builder(AdminOpcode.DOORBELL_BUFFER_CONFIG).prp1(ADDRESS).prp2(0x4000);
    assertThat(nvme.run(config).status()).isEqualTo(Status.SUCCESS);
    verify(nvme.queues).shadowDoorbells(ADDRESS, 0x4000);
  }

  @Test
  void whereShadowDoorbellsAreOffThereIsNoSuchCommand() {
    for (DoorbellMode doorbells : DoorbellMode.values()) {
      AdminFixture other = new AdminFixture(new NvmeConfig(512, 0, 1, doorbells, false, "OTHER"));
      SubmissionEntry.Builder config =
          SubmissionEntry.builder(AdminOpcode.DOORBELL_BUFFER_CONFIG).prp1(ADDRESS).prp2(0x4000);
      assertThat(other.run(config).status()).isEqualTo(Status.INVALID_COMMAND_OPCODE);
      verifyNoInteractions(other.queues);
    }
  }

  /** Whoever maps the page means to ring there; asked for, there are both. */
  @Test
  void unlessAskedForAMappedPageIsInsteadOfShadowDoorbells() {
    assertThat(new NvmeConfig(512, 0, 1, DoorbellMode.TRAP, "A").shadowDoorbells()).isTrue();
    assertThat(new NvmeConfig(512, 0, 1, DoorbellMode.MAP, "A").shadowDoorbells()).isFalse();
    assertThat(new NvmeConfig(512, 0, 1, DoorbellMode.MAP, true, "A").shadowDoorbells()).isTrue();
  }

  @Test
  void shadowDoorbellsWithinAPageAreRefused() {
    SubmissionEntry.Builder config =
        SubmissionEntry.builder(AdminOpcode.DOORBELL_BUFFER_CONFIG).prp1(ADDRESS).prp2(0x5000);
    assertThat(nvme.run(config).status()).isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    assertThat(nvme.errorLocation()).isEqualTo("dword 8 bit 0");
    assertThat(nvme.run(config.prp2(0x4000).prp1(0x10)).status())
        .isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    assertThat(nvme.errorLocation()).isEqualTo("dword 6 bit 0");
    verify(nvme.queues, never()).shadowDoorbells(anyLong(), anyLong());
  }

  @ParameterizedTest
  @ValueSource(ints = {0x03, 0x07, 0x0b, 0x0d, 0x10, 0x11, 0x14, 0x18, 0x1a, 0x80, 0x84, 0xc0})
  void otherOpcodesAreRefused(int opcode) {
    assertThat(nvme.run(SubmissionEntry.builder(opcode)).status())
        .isEqualTo(Status.INVALID_COMMAND_OPCODE);
    assertThat(nvme.errorLocation()).isEqualTo("dword 0 bit 0");
  }

  @Test
  void thereAreNeitherFusedCommandsNorScatterLists() {
    for (int psdt = 1; psdt < 4; psdt++) {
      assertThat(nvme.run(AdminFixture.identify(1, 0).psdt(psdt)).status())
          .isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    }
    assertThat(nvme.run(AdminFixture.identify(1, 0).fuse(1)).status())
        .isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    assertThat(nvme.errorLocation()).isEqualTo("dword 0 bit 8");
  }
}
