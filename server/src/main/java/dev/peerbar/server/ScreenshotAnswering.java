package dev.peerbar.server;

import dev.peerbar.endpoint.Picture;
import dev.peerbar.endpoint.Screenshots;
import dev.peerbar.server.screenshot.PngFile;
import dev.peerbar.server.screenshot.ScreenshotRequest;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** Takes {@link ScreenshotRequest}s: a line each, and a PNG file back, or a sentence. */
record ScreenshotAnswering(Screenshots screenshots) implements LineSocket.Answering {

  @Override
  public CompletableFuture<byte[]> answer(byte[] line) {
    // On the socket's own thread: nobody waits for it but whoever asks.
    return CompletableFuture.completedFuture(picture(new String(line, StandardCharsets.UTF_8)));
  }

  private byte[] picture(String line) {
    int output;
    try {
      output = Integer.parseInt(line.strip());
    } catch (NumberFormatException e) {
      return refusal("ask for an output by its number");
    }
    if (output < 0 || output >= screenshots.outputs()) {
      return refusal(
          "there is no output %d; there are %d, from 0".formatted(output, screenshots.outputs()));
    }
    Optional<Picture> shown = screenshots.screenshot(output);
    return shown.isPresent()
        ? PngFile.of(shown.get())
        : refusal("output %d shows nothing: its driver has not set a mode".formatted(output));
  }

  @Override
  public byte[] refusal(String sentence) {
    return (sentence + "\n").getBytes(StandardCharsets.UTF_8);
  }
}
