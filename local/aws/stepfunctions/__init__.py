"""What moto's Step Functions need to run state machines as AWS does."""
