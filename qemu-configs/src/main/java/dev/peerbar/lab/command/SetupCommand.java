package dev.peerbar.lab.command;

import dev.peerbar.cli.Subcommand;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.SetupException;
import dev.peerbar.lab.setup.SetupOutput;
import java.io.IOException;
import picocli.CommandLine;

/** {@code peerbar setup}. */
@CommandLine.Command(
    name = "setup",
    mixinStandardHelpOptions = true,
    description =
        "Gets QEMU and the guest's programs, builds the guest kernel and agent, once; later runs"
            + " find them in the cache.")
public final class SetupCommand implements Subcommand {
  @Override
  public Integer call() throws IOException {
    try {
      LabFiles files = Setup.ofUser(SetupOutput.toStandardError()).run();
      System.out.println("qemu      " + String.join(" ", files.qemu().command()));
      System.out.println("kernel    " + files.kernel());
      System.out.println("initramfs " + files.initramfs());
      System.out.println("userland  " + files.userland());
      return 0;
    } catch (SetupException e) {
      System.err.println("peerbar: " + e.getMessage());
      return 1;
    }
  }
}
