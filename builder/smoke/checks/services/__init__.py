"""Smoke tests of services: every service has all of them, and no stack names one."""
