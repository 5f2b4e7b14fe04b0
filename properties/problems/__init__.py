"""Problems at random: what may be asked, how it is drawn, and how it becomes smaller."""
