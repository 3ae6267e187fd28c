package dev.peerbar.devices.gpu;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.Picture;
import dev.peerbar.engine.Scratch;
import dev.peerbar.virtio.VirtioRequest;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries out a driver's commands, from one reset to the next, and answers them. A reset leaves it
 * behind as it is: a job that has yet to find out that it has ended then changes nothing that
 * anybody looks at. For the engine's thread, but for what is said to be for others.
 */
final class Commands {
  private static final Logger log = LoggerFactory.getLogger(Commands.class);

  private final long features;
  private final DriverState state;
  private final ControlCommands control;
  private final CursorCommands cursor;
  private final AnswerDelays delays;
  private final AtomicReferenceArray<AnswerQueue> answers;

  /** For the fixed part of requests, and for responses. */
  private final Scratch messages;

  /**
   * @param features what driver and device agree on
   * @param answers of each queue; another one takes its place when that is reset alone
   */
  Commands(
      long features,
      DriverState state,
      ControlCommands control,
      CursorCommands cursor,
      AnswerDelays delays,
      AtomicReferenceArray<AnswerQueue> answers,
      Scratch messages) {
    this.features = features;
    this.state = state;
    this.control = control;
    this.cursor = cursor;
    this.delays = delays;
    this.answers = answers;
    this.messages = messages;
  }

  DriverState state() {
    return state;
  }

  AnswerQueue answers(int queue) {
    return answers.get(queue);
  }

  /** A queue has been reset alone: what was to be answered there is forgotten. */
  void queueReset(int queue, AnswerQueue next) {
    answers.set(queue, next);
  }

  /** What an output shows. For any thread. */
  Optional<Picture> picture(int output) {
    return state.outputs().get(output).picture();
  }

  /** As {@link dev.peerbar.virtio.VirtioDevice#handle}. */
  void handle(int queue, VirtioRequest request, Job job)
      throws DmaFaultException, JobEndedException {
    // Before anything is read, so that a job that has ended by then puts nothing into the next one.
    AnswerQueue inOrder = answers.get(queue);
    Header header = Header.NONE;
    Response response = Response.of(ResponseType.ERR_UNSPEC);
    Duration late = Duration.ZERO;
    if (request.readable() >= Header.BYTES) {
      MemorySegment fixed = messages.first(Math.min(request.readable(), CommandType.MOST_BYTES));
      request.read(job, 0, fixed);
      header = Header.of(fixed);
      Optional<CommandType> known =
          CommandType.of(header.type())
              .filter(type -> type.ofCursors() == (queue == GpuDevice.CURSOR_QUEUE))
              .filter(type -> (type.feature() & ~features) == 0)
              .filter(type -> type.bytes() <= fixed.byteSize());
      if (known.isPresent()) {
        CommandType type = known.get();
        response = execute(type, new Fields(fixed.asSlice(0, type.bytes())), request, job);
        late = delays.of(type);
      }
    }
    // A driver that has no room for an answer, as Linux for those of cursor commands, wants none.
    long written = Math.min(response.bytes(), request.writable());
    if (written > 0) {
      MemorySegment bytes = messages.first(response.bytes());
      response.to(bytes, header);
      request.write(job, 0, bytes.asSlice(0, written));
    }
    inOrder.add(job, request, written, late);
  }

  private Response execute(CommandType type, Fields fields, VirtioRequest request, Job job)
      throws DmaFaultException, JobEndedException {
    try {
      return type.ofCursors()
          ? cursor.execute(type, fields, job)
          : control.execute(type, fields, request, job);
    } catch (CommandException e) {
      return Response.of(e.answer());
    } catch (OutOfMemoryError e) {
      log.error("no memory for {}", type, e);
      return Response.of(ResponseType.ERR_OUT_OF_MEMORY);
    } catch (RuntimeException | Error e) {
      log.error("{} cannot be carried out", type, e);
      return Response.of(ResponseType.ERR_UNSPEC);
    }
  }
}
