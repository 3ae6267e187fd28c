package dev.peerbar.server.screenshot;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * What is asked of a running endpoint that has outputs: a picture of one. The answer is a PNG file,
 * or a sentence on why there is none.
 *
 * @param output counted from 0
 */
public record ScreenshotRequest(int output) {

  /** Where it is asked, of an endpoint that is served at a path. */
  public static Path socketOf(Path endpoint) {
    return endpoint.resolveSibling(endpoint.getFileName() + ".screenshot");
  }

  /** The line that asks it, without its end. */
  public byte[] line() {
    return Integer.toString(output).getBytes(StandardCharsets.UTF_8);
  }
}
