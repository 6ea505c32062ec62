"""What people look at: the HTML report, figures as PNG, metrics for Prometheus."""
