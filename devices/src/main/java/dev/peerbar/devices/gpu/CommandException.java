package dev.peerbar.devices.gpu;

/** A command cannot be carried out: the driver is answered with an error. */
final class CommandException extends Exception {
  private static final long serialVersionUID = 1L;

  private final ResponseType answer;

  CommandException(ResponseType answer) {
    // A driver makes as many as it likes: each is an answer, and none a mistake of ours.
    super(answer.name(), null, false, false);
    this.answer = answer;
  }

  ResponseType answer() {
    return answer;
  }
}
