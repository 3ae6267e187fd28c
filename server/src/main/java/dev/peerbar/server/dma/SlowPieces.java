package dev.peerbar.server.dma;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Pieces of transfers that engines carry out outside the {@link Gate}, which may have to wait for a
 * disk, or for a file system that somebody has frozen. A piece begins inside the gate, where it
 * looks up all that it relies on, and touches nothing but the client's file and memory of the
 * engine's own.
 *
 * <p>A revocation takes effect at once, and no later piece begins; but those that are under way
 * cannot be waited for on the function's thread. So whoever asked for it gets its reply when they
 * have ended: {@link #unsettled} tells that the reply has to wait, {@link #whenSettled} when it
 * need not any more.
 */
public final class SlowPieces {
  private final Set<Piece> underWay = new HashSet<>();

  /** The last revocation that has not been replied to yet; null for none. */
  private Settlement unsettled;

  /** A piece under way. */
  static final class Piece {
    private final List<Settlement> awaitedBy = new ArrayList<>(1);

    private Piece() {}
  }

  /** What is done when some pieces have ended. */
  private static final class Settlement {
    private int pieces;
    private Runnable action;
    private volatile boolean over;
  }

  /** Begins a piece. For an engine inside the gate; {@link #end} must follow, outside. */
  synchronized Piece begin() {
    Piece piece = new Piece();
    underWay.add(piece);
    return piece;
  }

  /** Ends a piece: it touches nothing any more. */
  void end(Piece piece) {
    List<Runnable> actions = new ArrayList<>(0);
    synchronized (this) {
      underWay.remove(piece);
      for (Settlement settlement : piece.awaitedBy) {
        settlement.pieces--;
        if (settlement.pieces == 0) {
          settlement.over = true;
          if (settlement.action != null) {
            actions.add(settlement.action);
          }
        }
      }
    }
    actions.forEach(Runnable::run);
  }

  /** Something has been revoked. For the function's thread, while it holds the gate. */
  synchronized void revoked() {
    if (underWay.isEmpty()) {
      return;
    }
    // It stands for an earlier one too: what that waited for is under way still, or has ended.
    unsettled = new Settlement();
    unsettled.pieces = underWay.size();
    for (Piece piece : underWay) {
      piece.awaitedBy.add(unsettled);
    }
  }

  /**
   * Whether something was revoked, pieces that began before it are still under way, and no reply
   * waits for them yet. If the request of the revocation wants no reply, the next reply waits. For
   * the function's thread.
   */
  public boolean unsettled() {
    if (unsettled == null) {
      return false;
    }
    if (unsettled.over) {
      unsettled = null;
      return false;
    }
    return true;
  }

  /**
   * Does something once the pieces that {@link #unsettled} tells of have ended. It tells of them no
   * more from now on. For the function's thread.
   *
   * @param action runs on the thread of the last of them, or at once
   */
  public void whenSettled(Runnable action) {
    Settlement settlement = unsettled;
    unsettled = null;
    synchronized (this) {
      if (settlement != null && !settlement.over) {
        settlement.action = action;
        return;
      }
    }
    action.run();
  }

  /**
   * The client has gone: nobody waits for what is under way with its files any more. For the
   * function's thread.
   */
  public synchronized void forget() {
    underWay.clear();
    unsettled = null;
  }
}
