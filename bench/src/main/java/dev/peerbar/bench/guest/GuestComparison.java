package dev.peerbar.bench.guest;

import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.BenchmarkException;
import dev.peerbar.bench.harness.Comparison;
import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.SetupException;
import dev.peerbar.lab.setup.SetupOutput;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Endpoints and QEMU's own devices, by turns, in one booted guest. */
public final class GuestComparison implements Comparison {

  @Override
  public String name() {
    return "guest";
  }

  @Override
  public String about() {
    return "in a booted guest: registers, memory behind a BAR, DMA, beside QEMU's own devices";
  }

  @Override
  public boolean needsGuest() {
    return true;
  }

  @Override
  public void run(Bench bench) throws Exception {
    LabFiles files = setUp();
    Path logs = Files.createTempDirectory("peerbar-bench-logs-");
    try (GuestFixture fixture = GuestFixture.boot(files, logs)) {
      new AccessFigures(bench, fixture).measure();
      new TransferFigures(bench, fixture).measure();
      fixture.powerOff();
    } catch (IOException | BenchmarkException e) {
      throw new BenchmarkException("%s; the logs are in %s.".formatted(e.getMessage(), logs), e);
    }
    Lab.delete(logs);
  }

  private static LabFiles setUp() throws IOException, BenchmarkException {
    try {
      return Setup.ofUser(SetupOutput.toStandardError()).run();
    } catch (SetupException e) {
      throw new BenchmarkException(e.getMessage(), e);
    }
  }
}
