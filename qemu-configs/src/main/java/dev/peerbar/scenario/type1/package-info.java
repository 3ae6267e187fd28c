/** The legacy container of vfio. */
package dev.peerbar.scenario.type1;
