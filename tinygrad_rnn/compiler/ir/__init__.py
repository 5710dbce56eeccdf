"""The intermediate representation: instructions, a traced step, its schedule, and its cost."""
