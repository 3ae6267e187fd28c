/**
 * How fast the program starts, and what makes it so. After a build the launcher has a server
 * rehearse: it starts and serves a client, and the JVM keeps what it loaded and linked in an AOT
 * cache (JEP 483 and 514) that later JVMs begin with.
 */
package dev.peerbar.cli.start;
