/**
 * What a driver can rely on, wherever the function is: one body of tests, run in process, over a
 * vfio-user socket and in a guest. Whoever runs them says how a function is opened.
 */
package dev.peerbar.driver.contract;
