/** The {@code iommufd} family: what an IOAS maps, and for whom. */
package dev.peerbar.scenario.iommufd;
