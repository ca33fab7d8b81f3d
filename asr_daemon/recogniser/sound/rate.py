"""The rate at which all sound is handled from decoding on."""

SAMPLE_RATE_HZ = 16_000
