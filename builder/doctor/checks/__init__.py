"""One check per file: each looks at one thing and says what is so and what to do."""
