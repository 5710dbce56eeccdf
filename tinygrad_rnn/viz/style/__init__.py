"""How pictures look: colours and style sheet, text and its width, the paths of lines."""
