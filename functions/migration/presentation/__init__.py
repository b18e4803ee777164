"""How a report looks to people: a page, a summary for chat, and the words that both use."""
