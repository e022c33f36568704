"""What Snakemake is told beyond its rules: which results are not those of the configuration."""
