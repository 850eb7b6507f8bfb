"""The command line: every order of the console and every action of a screen, for scripts and for people without one."""
