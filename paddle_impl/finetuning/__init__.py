"""Fine-tuning: the tasks that run_finetune.py gives to training/run.py."""
