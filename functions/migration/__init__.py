"""What the functions share: logic as plain functions, AWS behind `clients`, what happened in `store`."""
