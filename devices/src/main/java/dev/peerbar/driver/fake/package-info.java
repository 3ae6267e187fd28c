/**
 * Everything in one thread: a host in which nothing happens by itself, for tests of endpoints and
 * their drivers.
 */
package dev.peerbar.driver.fake;
