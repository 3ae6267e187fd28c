package dev.peerbar.lab.vfio;

import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.guest.GuestMemory;
import java.io.IOException;

/** Addresses at which functions reach memory of the guest: an IOAS, or a container. */
public interface DmaSpace {

  /** Maps guest memory for reading and writing, wherever there is room. */
  DmaRange map(GuestMemory memory) throws IOException;

  /** Maps guest memory at an IOVA. */
  DmaRange mapAt(GuestMemory memory, long iova) throws IOException;

  /** Takes memory away that was mapped, all of it; how many bytes went. */
  long unmap(DmaRange memory) throws IOException;
}
