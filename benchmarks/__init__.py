"""What Tajo claims about calls, time and memory, measured against the limits' own floor."""
