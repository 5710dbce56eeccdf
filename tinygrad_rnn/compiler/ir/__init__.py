"""The intermediate representation: instructions, a traced step, its schedule, and what it costs."""
