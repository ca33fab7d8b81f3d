"""Chinese words and what they cost: jieba's dictionary, read as a file."""
