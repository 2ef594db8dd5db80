"""What the system does: one public function is one thing in one transaction."""
