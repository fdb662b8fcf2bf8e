"""What changes for people who search: two generations' answers to the same questions, without anybody's judgement."""
