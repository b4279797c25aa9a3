"""Seeded mutations of small files of every format that we read: each is read, or refused in one line, in bounds."""
