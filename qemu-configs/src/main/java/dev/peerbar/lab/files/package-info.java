/** What a lab is made of: files of this module, and those that set-up made or found. */
package dev.peerbar.lab.files;
